"""The checks of a dialog: what holds, what stands in the way, and what removes that."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils.translation import gettext, gettext_lazy

from ..milvus.types import Cluster
from ..names import readable
from ..operations.kinds.acts import Act
from ..operations.kinds.base import Blocker, Condition, TargetState
from . import links
from .display import span
from .shown import shown

if TYPE_CHECKING:
    from ..models import Claim


class Mark(StrEnum):
    """Whether a condition holds."""

    PASSED = "passed"
    BLOCKED = "blocked"
    CAUTION = "caution"  # it can't be checked here


WORDS = {
    Mark.PASSED: gettext_lazy("Passed"),
    Mark.BLOCKED: gettext_lazy("Blocked"),
    Mark.CAUTION: gettext_lazy("Caution"),
}
HOLDS = {
    Condition.NOT_PROTECTED: gettext_lazy("Nobody has protected it"),
    Condition.NO_ALIAS: gettext_lazy("No alias points to it"),
    Condition.RENAMABLE: gettext_lazy("Milvus can rename it, and its id can be compared then"),
    Condition.RENAMABLE_LITE: gettext_lazy("Milvus can rename it"),
    Condition.DROPPABLE: gettext_lazy("Milvus can drop this partition"),
    Condition.NOT_LOADED: gettext_lazy("It is not loaded"),
    Condition.LOADED: gettext_lazy("It is loaded"),
    Condition.AS_IT_WENT_IN: gettext_lazy("It is unchanged since it went into the recycle bin"),
    Condition.DROPPED: gettext_lazy("The audit log says that it was dropped"),
    Condition.NAME_FREE: gettext_lazy("Its name is free"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line. `url` leads to the remedy; `in_dialog` is whether that is a dialog, too."""

    mark: Mark
    text: str
    url: str = ""
    label: str = ""
    in_dialog: bool = True
    is_alert: bool = False

    @property
    def word(self) -> str:
        """The mark, for the page."""
        return str(WORDS[self.mark])


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How old the sign-in is, and the page that renews it where that is needed."""

    age: float | None
    url: str


def checklist(
    act: Act, cluster: Cluster, state: TargetState, claim: "Claim | None", sign_in: SignIn
) -> list[Check]:
    """What stands in the way first; then what can't be checked; then what passed."""
    checks = [
        *(_blocked(blocker, act) for blocker in state.blockers),
        _claimed(claim),
        *_signed_in(cluster, sign_in, is_asked=not state.blockers),
        *_identity(state),
        *(Check(mark=Mark.PASSED, text=str(HOLDS[one])) for one in state.passed),
    ]
    order = (Mark.BLOCKED, Mark.CAUTION, Mark.PASSED)
    return sorted(checks, key=lambda check: order.index(check.mark))


def _blocked(blocker: Blocker, then: Act) -> Check:
    remedy, target = blocker.remedy, blocker.remedy_target
    url = links.act(remedy, target, then=then.slug) if remedy and target else ""
    return Check(
        mark=Mark.BLOCKED, text=shown(blocker.text), url=url, label=shown(blocker.remedy_label)
    )


def _claimed(claim: "Claim | None") -> Check:
    if claim is None:
        return Check(mark=Mark.PASSED, text=gettext("No other operation on it is in progress"))
    text = gettext("%(person)s has an operation on it in progress.")
    return Check(
        mark=Mark.BLOCKED,
        text=text % {"person": readable(claim.actor_display)},
        url=links.operation(str(claim.operation_id)),
        label=gettext("View operation"),
        in_dialog=False,
        is_alert=True,
    )


def _signed_in(cluster: Cluster, sign_in: SignIn, *, is_asked: bool) -> list[Check]:
    """Nothing where a sign-in of any age will do, or where it is not asked for yet."""
    if not cluster.reauth or sign_in.url or not is_asked:
        return []
    text = gettext("You signed in %(age)s ago; %(limit)s are permitted")
    values = {"age": span(sign_in.age), "limit": span(cluster.reauth)}
    return [Check(mark=Mark.PASSED, text=text % values)]


def _identity(state: TargetState) -> list[Check]:
    if state.creation:
        return []
    if state.identity.verifiable:
        text = gettext("Its id is known, and is compared again before the request")
        return [Check(mark=Mark.PASSED, text=text)]
    text = gettext(
        "This server has no ids. Milvus Admin can’t tell it from another one with the same name "
        "and content."
    )
    return [Check(mark=Mark.CAUTION, text=text)]
