"""The forms. Names are compared exactly: nothing is trimmed, folded or normalised."""

from datetime import date
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from ..audit.log import Outcome
from ..milvus.types import Cluster
from ..names import typable

# Nothing that a keyboard or a browser might change on the way.
VERBATIM = {
    "autocomplete": "off",
    "autocapitalize": "off",
    "autocorrect": "off",
    "spellcheck": "false",
    "class": "name",
}


class ConfirmForm(forms.Form):
    """The typed name, the reason, and the signed token of what was shown."""

    token = forms.CharField(widget=forms.HiddenInput)
    typed_name = forms.CharField(
        strip=False,
        max_length=3000,
        error_messages={"required": "Type the name. Nothing was sent."},
        widget=forms.TextInput(attrs=VERBATIM),
    )
    reason = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 500}),
    )

    def __init__(self, *args: Any, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "confirm-%s", **kwargs})
        self.expected = typable(expected)

    def clean_typed_name(self) -> str:
        typed = str(self.cleaned_data["typed_name"])
        if typed != self.expected:
            raise forms.ValidationError(self._difference(typed))
        return typed

    def _difference(self, typed: str) -> str:
        if typed.strip() == self.expected.strip():
            return "Spaces at the start or the end differ. Nothing was sent."
        if typed.casefold() == self.expected.casefold():
            return "Upper and lower case differ. Nothing was sent."
        return "That is not the name. Nothing was sent."


class PlanForm(forms.Form):
    """The sentence that starts a plan, a reason, and the digest of the list that was shown."""

    digest = forms.CharField(widget=forms.HiddenInput, max_length=64)
    typed = forms.CharField(
        strip=False,
        max_length=300,
        error_messages={"required": "Type the sentence. Nothing was started."},
        widget=forms.TextInput(attrs=VERBATIM),
    )
    reason = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 500}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "plan-%s", **kwargs})


# Days that exist in every time zone, and have a day after them.
DAYS = (MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31)))


class AuditFilterForm(forms.Form):
    """The filters of the audit log; what can't be understood filters nothing and says so."""

    who = forms.CharField(required=False, max_length=300, label="Person")
    what = forms.CharField(required=False, max_length=255, strip=False, label="Object")
    cluster = forms.CharField(required=False, max_length=40)
    database = forms.CharField(required=False, max_length=255)
    outcome = forms.ChoiceField(
        required=False,
        choices=[("", "Any")] + [(o.value, o.value.capitalize()) for o in Outcome if o],
    )
    since = forms.DateField(
        required=False,
        label="From",
        validators=DAYS,
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    until = forms.DateField(
        required=False,
        label="To",
        validators=DAYS,
        widget=forms.DateInput(attrs={"type": "date"}),
    )


class PlaceForm(forms.Form):
    """A cluster, a database of it, a collection: what somebody asks about their rights on."""

    cluster = forms.ChoiceField()
    database = forms.CharField(required=False, max_length=255, strip=False)
    collection = forms.CharField(required=False, max_length=255, strip=False)

    def __init__(self, *args: Any, clusters: list[Cluster], **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "place-%s", **kwargs})
        choices = [(cluster.key, cluster.label) for cluster in clusters]
        self.fields["cluster"] = forms.ChoiceField(choices=choices)
        for name in ("database", "collection"):
            self.fields[name].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
