"""What a dialog shows: the target as it is now, and the form that confirms the act."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.urls import reverse

from ..access import approval
from ..access.policy import Action, place_of, sign_in_needed
from ..audit import queries
from ..milvus.types import INSIDE, Cluster, Kind, Target
from ..operations import claims, confirmation
from ..operations.confirmation import Confirmation
from ..operations.kinds import OPERATIONS
from ..operations.kinds.acts import ACTS, Act
from ..operations.kinds.base import TargetState
from . import links, snippets
from .checklist import Check, SignIn, checklist
from .draft import SavedConfirmation
from .facts import Fact, creation_facts, dialog_facts
from .forms import ConfirmForm, NameForm, ProtectForm, PurgeForm, ReasonForm
from .http import open_cluster
from .request import SignedInRequest
from .shown import shown, word

if TYPE_CHECKING:
    from ..models import Claim


SPECIAL_FORMS: dict[Action, type[ReasonForm]] = {
    Action.RESTORE: NameForm,
    Action.CREATE: NameForm,
    Action.PURGE: PurgeForm,
    Action.PROTECT: ProtectForm,
    Action.UNPROTECT: PurgeForm,
}


class TargetChanged(Exception):
    """The target is no longer what the saved confirmation was about."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a dialog says first: what was done before it, or why this was refused."""

    text: str
    is_refusal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialog:
    """Everything that the template of a dialog shows. `sign_in_url` is set if it asks for that."""

    act: Act
    target: Target
    cluster: Cluster
    state: TargetState
    form: ReasonForm
    url: str  # where the form is sent
    claim: "Claim | None"
    last_event: queries.Event | None
    sign_in_url: str
    sign_in_age: float | None
    notice: Notice | None

    @property
    def title(self) -> str:
        return shown(self.act.title(self.target))

    @property
    def is_irreversible(self) -> bool:
        return OPERATIONS[self.act.action].is_irreversible

    @property
    def needs_approval(self) -> bool:
        """Whether confirming it asks a second person, and sends nothing yet."""
        return approval.is_needed(self.act.action, place_of(self.target))

    @property
    def noun(self) -> str:
        """What the target is, in a sentence."""
        return word(self.target.noun)

    @property
    def is_inside_collection(self) -> bool:
        """Whether the place needs the name of the collection besides."""
        return self.target.kind in INSIDE

    @property
    def can_confirm(self) -> bool:
        """Whether it has a button that acts."""
        is_blocked = any(not blocker.wants_other_name for blocker in self.state.blockers)
        return not is_blocked and not self.sign_in_url

    @property
    def has_name_field(self) -> bool:
        """Whether the name has to be typed: then its field has the focus, and not Cancel."""
        return self.can_confirm and "typed_name" in self.form.fields

    @property
    def facts(self) -> list[Fact]:
        if self.state.creation:
            return list(creation_facts(self.state))
        return list(dialog_facts(self.target, self.state))

    @property
    def effects(self) -> list[Fact]:
        """What becomes of what."""
        return [Fact(label=shown(key), value=shown(text)) for key, text in self.state.effects]

    @property
    def checks(self) -> list[Check]:
        sign_in = SignIn(age=self.sign_in_age, url=self.sign_in_url)
        return checklist(self.act, self.cluster, self.state, self.claim, sign_in)

    @property
    def snippets(self) -> tuple[snippets.Snippet, ...]:
        version = self.state.server.version
        return snippets.of_act(self.act.action, self.target, self.cluster.endpoint, version)

    @property
    def cancel_url(self) -> str:
        return page_of(self.act.action, self.target)


def build_dialog(
    request: SignedInRequest,
    action: Action,
    target: Target,
    *,
    form: ReasonForm | None = None,
    saved: SavedConfirmation | None = None,
    notice: Notice | None = None,
) -> Dialog:
    """Read the target, and say what to show. `form` keeps what was typed, and its token.

    Raises TargetChanged if `saved`, the confirmation of a dialog that was left for signing in,
    was for something else; and what reading the target raises.
    """
    milvus = open_cluster(request, target.cluster)
    state = OPERATIONS[action].read_state(milvus.gateway, target)
    events = queries.recent_operations(target.cluster, target.database, target.collection)
    return Dialog(
        act=ACTS[action],
        target=target,
        cluster=milvus.cluster,
        state=state,
        form=form or _new_form(request, action, target, state, saved),
        url=links.act(action, target, request.GET.get("then", "")),
        claim=claims.claim_on(target),
        last_event=next(iter(events), None),
        sign_in_url=_sign_in_url(request, target, state),
        sign_in_age=request.actor.sign_in_age,
        notice=notice,
    )


def form_for(action: Action) -> type[ReasonForm]:
    """What the dialog of an act asks for."""
    plain = ConfirmForm if OPERATIONS[action].asks_for_name else ReasonForm
    return SPECIAL_FORMS.get(action, plain)


def _new_form(
    request: SignedInRequest,
    action: Action,
    target: Target,
    state: TargetState,
    saved: SavedConfirmation | None,
) -> ReasonForm:
    consent, reason = _consent(request, action, target, state, saved)
    if consent.identity != state.identity:
        raise TargetChanged
    initial = {"token": confirmation.sign(consent), "reason": reason}
    return form_for(action)(expected=target.shown_name, initial=initial)


def _consent(
    request: SignedInRequest,
    action: Action,
    target: Target,
    state: TargetState,
    saved: SavedConfirmation | None,
) -> tuple[Confirmation, str]:
    """The saved confirmation and its reason, if it was for this; else a new one."""
    if saved is not None:
        with suppress(confirmation.Expired, confirmation.Forged):
            found = confirmation.read(
                saved.token, action=action, target=target, actor=request.actor
            )
            return found, saved.reason
    return confirmation.confirm(action, target, state, request.actor), ""


def _sign_in_url(request: SignedInRequest, target: Target, state: TargetState) -> str:
    """The page of sign-in, leading back to this dialog as a page; empty if it is not needed."""
    if state.blockers or not sign_in_needed(request.actor, target.cluster):
        return ""
    query = urlencode({"fresh": "1", "next": request.get_full_path()})
    return f"{reverse('sign-in')}?{query}"


def page_of(action: Action, target: Target) -> str:
    """Where to go when the dialog is left: the list it is in, or its collection."""
    if target.kind is Kind.NEW:
        return links.operation(target.name)
    if not OPERATIONS[action].changes_milvus:
        return links.collection(target.cluster, target.database, target.collection)
    if target.kind is Kind.BINNED:
        return links.recycle_bin(target.cluster, target.database)
    if target.kind is Kind.COLLECTION:
        return links.collections(target.cluster, target.database)
    return links.collection(target.cluster, target.database, target.collection)
