"""The forms. Names are compared exactly: nothing is trimmed, folded or normalised."""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import clusters
from ..audit.log import Outcome
from ..audit.queries import OPEN
from ..milvus.types import Cluster
from ..names import readable, typable
from ..operations.private_names import operation_of
from .display import action_choices
from .shown import word

NEW_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")  # read: Milvus, internal/proxy/util.go

# Nothing that a keyboard or a browser might change on the way.
VERBATIM = {
    "autocomplete": "off",
    "autocapitalize": "off",
    "autocorrect": "off",
    "spellcheck": "false",
    "class": "name",
}


# Days that exist in every time zone, and have a day after them.
DAYS = (MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31)))


LAST_YEAR = 2999


def _needed_reason() -> forms.CharField:
    return forms.CharField(
        max_length=500,
        error_messages={"required": _("Say why. Nothing was sent.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 500}),
    )


class ReasonForm(forms.Form):
    """The reason, and the signed token of what was shown."""

    token = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 500}),
    )

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "confirm-%s", **kwargs})
        self.expected = typable(expected)


class ConfirmForm(ReasonForm):
    """The typed name besides."""

    typed_name = forms.CharField(
        strip=False,
        max_length=3000,
        error_messages={"required": _("Type the name. Nothing was sent.")},
        widget=forms.TextInput(attrs={**VERBATIM, "autofocus": True}),
    )

    def clean_typed_name(self) -> str:
        typed = str(self.cleaned_data["typed_name"])
        if typed != self.expected:
            raise forms.ValidationError(self._difference(typed))
        return typed

    def _difference(self, typed: str) -> str:
        if typed.strip() == self.expected.strip():
            return gettext("Spaces at the start or the end differ. Nothing was sent.")
        if typed.casefold() == self.expected.casefold():
            return gettext("Upper and lower case differ. Nothing was sent.")
        return gettext("That is not the name. Nothing was sent.")


class PurgeForm(ConfirmForm):
    """A purge needs a reason."""

    reason = _needed_reason()


class ProtectForm(ReasonForm):
    """Why it is protected, and until when; without a time, until somebody removes it."""

    reason = _needed_reason()
    until = forms.DateTimeField(
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"],
        error_messages={"invalid": _("Type a date and a time. Nothing was changed.")},
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def clean_until(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["until"]
        if until and until <= timezone.now():
            raise forms.ValidationError(gettext("That time is over. Nothing was changed."))
        if until and until.year > LAST_YEAR:
            raise forms.ValidationError(gettext("That is too far away. Nothing was changed."))
        return until


class NameForm(ReasonForm):
    """The name that a collection gets: its old one, unless another is typed."""

    new_name = forms.CharField(
        max_length=255,
        error_messages={"required": _("Type a name. Nothing was sent.")},
        widget=forms.TextInput(attrs=VERBATIM),
    )

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, expected=expected, **kwargs)
        self.fields["new_name"].initial = expected

    def clean_new_name(self) -> str:
        name = str(self.cleaned_data["new_name"])
        if not NEW_NAME.fullmatch(name):
            raise forms.ValidationError(
                gettext(
                    "A name has letters, digits and underscores, and begins with no digit. Nothing "
                    "was sent."
                )
            )
        if operation_of(name):
            raise forms.ValidationError(
                gettext("Milvus Admin uses such names itself. Type another. Nothing was sent.")
            )
        return name

    def refuse_taken_name(self) -> None:
        """Say that something on the server has this name."""
        self.add_error(
            "new_name",
            gettext("A collection or an alias has this name. Type another. Nothing was sent."),
        )


class PlanForm(forms.Form):
    """The sentence that starts a plan, a reason, and the digest of the list that was shown."""

    digest = forms.CharField(widget=forms.HiddenInput, max_length=64)
    typed = forms.CharField(
        strip=False,
        max_length=300,
        error_messages={"required": _("Type the sentence. Nothing was started.")},
        widget=forms.TextInput(attrs=VERBATIM),
    )
    reason = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 500}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "plan-%s", **kwargs})


class ApprovalForm(PlanForm):
    """The same, from the second person; the reason is the requester's."""

    reason = None  # type: ignore[assignment]


class RejectForm(forms.Form):
    """Why a request for approval is rejected."""

    why = forms.CharField(
        max_length=500,
        error_messages={"required": _("Say why. Nothing was rejected.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 500}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "reject-%s", **kwargs})


def _label(outcome: str) -> str:
    return capfirst(word(outcome))


label_of = lazy(_label, str)  # in the language of each request
OUTCOMES: list[tuple[str, Any]] = [(o.value, label_of(o.value)) for o in Outcome if o]


class AuditFilterForm(forms.Form):
    """The filters of the audit log; what can't be understood filters nothing and says so.

    Clusters and databases are those of the log, which has old ones, too: any other text is taken.
    """

    who = forms.CharField(required=False, max_length=300, label=_("Person"))
    what = forms.CharField(required=False, max_length=255, strip=False, label=_("Object"))
    action = forms.ChoiceField(
        required=False, label=_("Action"), choices=[("", _("Any")), *action_choices()]
    )
    outcome = forms.ChoiceField(
        required=False,
        label=_("Outcome"),
        choices=[("", _("Any")), (OPEN, _("In progress")), *OUTCOMES],
    )
    cluster = forms.CharField(
        required=False, label=_("Cluster"), max_length=40, widget=forms.Select
    )
    database = forms.CharField(
        required=False, label=_("Database"), max_length=255, widget=forms.Select
    )
    since = forms.DateField(
        required=False,
        label=_("From"),
        validators=DAYS,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    until = forms.DateField(
        required=False,
        label=_("To"),
        validators=DAYS,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    mine = forms.BooleanField(required=False, label=_("Person"), widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, places: Sequence[tuple[str, str]] = (), **kwargs: Any
    ) -> None:
        super().__init__(data, **kwargs)
        asked = data or {}
        chosen = asked.get("cluster")
        databases = {database for cluster, database in places if chosen in {"", None, cluster}}
        self._offer("cluster", {key for key, _ in places}, chosen, clusters.label)
        self._offer("database", databases, asked.get("database"), str)

    def _offer(
        self, name: str, values: set[str], chosen: str | None, text: Callable[[str], str]
    ) -> None:
        known = sorted(values - {""}, key=text)
        known += [chosen] if chosen and chosen not in values else []
        widget = self.fields[name].widget
        widget.choices = [("", _("Any")), *((value, readable(text(value))) for value in known)]


class PlaceForm(forms.Form):
    """A cluster, a database of it, a collection: what somebody asks about their rights on."""

    cluster = forms.ChoiceField()
    database = forms.CharField(required=False, label=_("Database"), max_length=255, strip=False)
    collection = forms.CharField(required=False, label=_("Collection"), max_length=255, strip=False)

    def __init__(self, *args: Any, offered: list[Cluster], **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "place-%s", **kwargs})
        choices = [(cluster.key, cluster.label) for cluster in offered]
        self.fields["cluster"] = forms.ChoiceField(label=_("Cluster"), choices=choices)
        for name in ("database", "collection"):
            self.fields[name].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
