"""Plans from the shell: create, show, run, pause, resume, cancel."""

import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from ... import clusters
from ...access.principals import Caller
from ...audit.log import LogUnwritable
from ...milvus.errors import MilvusError
from ...milvus.types import Partitions, Table
from ...models import ItemState, Plan, PlanState
from ...plans import approving, building, choosing, deciding, finding, tasks
from ...plans.progress import Progress, progress_of
from ...plans.rows import (
    OVER,
    WAITING,
    PlanRejected,
    approver_of,
    digest_of,
    requester_of,
    to_do,
)
from ...recycle_bin.items import names_by_private_name
from ...web import links
from ..shell import Error, ShellCommand

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
EPILOG = (
    "Exit codes: 0 done as asked; 1 (show --follow) the plan is done, and some items were not "
    "carried out; 2 wrong usage; 3 the plan was not made, or can't be changed or run now; 4 no "
    "such plan, cluster or item; 5 wrong sentence; 6 (show --follow) paused or cancelled; 7 Milvus "
    "or the audit log is unavailable; 8 an approval is awaited, or was given and has to be run."
)
NAMES = "a file with one name per line, or - for standard input"


class Command(ShellCommand):
    help = "Make a plan of many collections or partitions, show it, and have it carried out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = EPILOG
        commands = parser.add_subparsers(dest="command", required=True)
        create = commands.add_parser("create", help="make a plan, and read its items")
        create.add_argument("--match", default="", help="names: * any text, ? one character")
        create.add_argument("--older-than", default="", help="created that long ago: 30d, 12h")
        create.add_argument("--loaded", choices=("yes", "no"), help="only loaded ones, or others")
        create.add_argument("--from-file", default="", help=NAMES)
        create.add_argument("--partitions-of", default="", help="partitions of this collection")
        permanently = "drop collections even where the cluster has a recycle bin"
        create.add_argument("--permanently", action="store_true", help=permanently)
        create.add_argument("--cluster", default="main", help="the cluster's key (main)")
        create.add_argument("--database", default="default", help="the database (default)")
        create.add_argument("--reason", default="", help="recorded in the audit log")
        super().add_arguments(create)
        for name, what in (
            ("show", "show a plan, what needs attention first"),
            ("run", "hand a plan to the background process"),
            ("pause", "pause a plan before its next item"),
            ("resume", "resume a paused plan"),
            ("cancel", "cancel a plan before its next item"),
        ):
            self._add(commands.add_parser(name, help=what), name)

    def _add(self, parser: ArgumentParser, name: str) -> None:
        parser.add_argument("number", type=int, help="the number of the plan")
        if name == "run":
            parser.add_argument("--confirm", required=True, help='as in "drop 37 on Production"')
        if name == "show":
            parser.add_argument("--follow", action="store_true", help="until it is over or paused")
            parser.add_argument("--all", action="store_true", help="list every item")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        do: Callable[..., None] = getattr(self, f"_{options['command']}")
        try:
            do(options)
        except deciding.WrongSentence as exc:
            raise Error(f"{exc}. Nothing was started.", returncode=5) from exc
        except PlanRejected as exc:
            raise Error(f"{exc}.", returncode=3) from exc
        except (MilvusError, LogUnwritable, DatabaseError, InterfaceError) as exc:
            raise Error(f"Nothing was started: {exc}. Run manage.py doctor.", returncode=7) from exc

    # --- the commands -----------------------------------------------------------------------------

    def _create(self, options: dict[str, Any]) -> None:
        known = [c.key for c in clusters.all_clusters()]
        if options["cluster"] not in known:
            message = f"No cluster {options['cluster']} is configured. Configured: "
            raise Error(f"{message}{', '.join(known)}.", returncode=4)
        names, selection = _chosen(options)
        collection = options["partitions_of"]
        plan = building.create(
            choosing.action_for(
                clusters.get(options["cluster"]).cluster,
                partitions=bool(collection),
                permanently=options["permanently"],
            ),
            options["cluster"],
            options["database"],
            [(collection or name, name) for name in names],
            Caller.shell(),
            reason=options["reason"],
            selection=selection,
        )
        if not building.read_items(plan):
            raise MilvusError(f"plan {plan.pk} could not be read: {plan.why or 'no answer'}")
        self._tell(plan)

    def _show(self, options: dict[str, Any]) -> None:
        plan = _plan(options["number"])
        if options["follow"]:
            self._follow(plan)
        self._tell(plan, everything=options["all"])
        if options["follow"]:
            raise SystemExit(_ended(plan))

    def _run(self, options: dict[str, Any]) -> None:
        plan = _plan(options["number"])
        digest = digest_of(plan, to_do(plan))
        decide = approving.run if plan.state == PlanState.READY else deciding.confirm
        decide(plan, options["confirm"], digest, Caller.shell())
        if plan.state == PlanState.AWAITING:
            self._tell(plan)
            raise SystemExit(8)
        tasks.ring(plan)
        self.say(f"Plan {plan.pk} is handed to the background process: {links.plan(plan.pk)}")
        self.say(f"Watch it: manage.py plan show {plan.pk} --follow")

    def _pause(self, options: dict[str, Any]) -> None:
        plan = _plan(options["number"])
        deciding.pause(plan, Caller.shell())
        self.say(f"Plan {plan.pk} is paused. An item in progress ends first.")

    def _resume(self, options: dict[str, Any]) -> None:
        plan = _plan(options["number"])
        deciding.resume(plan, Caller.shell())
        tasks.ring(plan)
        self.say(f"Plan {plan.pk} is running again.")

    def _cancel(self, options: dict[str, Any]) -> None:
        plan = _plan(options["number"])
        deciding.cancel(plan, Caller.shell())
        self.say(f"Plan {plan.pk} is cancelled. An item in progress ends first.")

    # --- telling ----------------------------------------------------------------------------------

    def _tell(self, plan: Plan, *, everything: bool = False) -> None:
        known = progress_of(plan)
        facts = {"plan": plan.pk, "state": plan.state, "counts": known.counts}
        self.say(f"Plan {plan.pk}: {_summary(plan, known)}", **facts)
        if plan.why:
            self.say(f"{plan.why}.")
        for item in finding.items_of(plan):
            calm = item.state in {ItemState.TODO, ItemState.DONE, ItemState.UNREAD}
            if everything or not calm:
                said = f": {item.message}" if item.message and item.state != ItemState.DONE else ""
                self.say(f"  {item.position:4} {item.state:8} {item.name}{said}")
        if plan.state == PlanState.DRAFT and known.count(ItemState.TODO):
            typed = deciding.sentence(plan)
            self.say(f'Read it, then: manage.py plan run {plan.pk} --confirm "{typed}"')
            self.facts["sentence"] = typed
        if plan.state in WAITING:
            self._tell_of_approval(plan)
        self.say(f"Its page: {links.plan(plan.pk)}")

    def _tell_of_approval(self, plan: Plan) -> None:
        who = requester_of(plan)
        self.facts |= {"requester": who.key, "expires_at": plan.expires_at}
        until = f"until {plan.expires_at:%Y-%m-%d %H:%M:%S %Z}"
        if plan.state == PlanState.AWAITING:
            self.say(f"Requested by {who.display}; a second person can approve it {until}")
            return
        approver, typed = approver_of(plan), deciding.sentence(plan)
        self.facts |= {"approver": approver.key, "sentence": typed}
        self.say(f"Approved by {approver.display}; {who.display} can run it {until}:")
        self.say(f'manage.py plan run {plan.pk} --confirm "{typed}"')

    def _follow(self, plan: Plan) -> None:
        """A bar on a terminal; elsewhere a line whenever something changed."""
        bar, last = self.stdout.isatty() and not self.as_json, ""
        while True:
            plan.refresh_from_db()
            line = _line(progress_of(plan))
            if line != last and not self.as_json:
                self.stdout.write(f"\r{line:<78}" if bar else line, ending="" if bar else "\n")
                self.stdout.flush()
            last = line
            if plan.state in {*OVER, *WAITING, PlanState.PAUSED, PlanState.DRAFT}:
                break
            time.sleep(0.5)
        if bar:
            self.stdout.write("")


def _chosen(options: dict[str, Any]) -> tuple[list[str], str]:
    """The names, and how they were chosen in words."""
    try:
        wanted = choosing.Filter(
            pattern=options["match"],
            created_before=_before(options["older_than"]),
            loaded={"yes": True, "no": False}.get(options["loaded"] or ""),
        )
    except (ValueError, OverflowError) as exc:
        message = "--older-than is a number and a unit, such as 30d, 12h or 90m."
        raise Error(message, returncode=2) from exc
    if bool(options["from_file"]) == bool(wanted):
        message = "Say which: --match, --older-than or --loaded; or --from-file alone."
        raise Error(message, returncode=2)
    if options["from_file"]:
        return _from_file(options["from_file"]), f"from {options['from_file']}"
    return _matching(options, wanted), wanted.words


def _matching(options: dict[str, Any], wanted: choosing.Filter) -> list[str]:
    gateway = clusters.get(options["cluster"]).gateway
    if collection := options["partitions_of"]:
        known = gateway.partitions(options["database"], collection)
        listing: Table = Partitions(known)
    else:
        listing = gateway.collections(options["database"])
    names = listing.names
    hidden = names_by_private_name(options["cluster"], options["database"])
    places = [at for at, name in enumerate(names) if name not in hidden]
    return sorted(names[at] for at in wanted.places(listing, places))


def _before(age: str) -> Any:
    if not age:
        return None
    number, unit = float(age[:-1]), UNITS.get(age[-1])
    if unit is None or number <= 0:
        raise ValueError(age)
    return timezone.now() - timedelta(**{unit: number})


def _from_file(path: str) -> list[str]:
    """One name per line, exactly as it is there; empty lines don't count."""
    try:
        text = Path("/dev/stdin" if path == "-" else path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise Error(f"{path} can't be read: {exc}.", returncode=2) from exc
    return [line for line in text.splitlines() if line]


def _plan(number: int) -> Plan:
    plan = Plan.objects.filter(pk=number).first()
    if plan is None:
        raise Error(f"There is no plan {number}.", returncode=4)
    return plan


def _summary(plan: Plan, known: Progress) -> str:
    """`40 items, 2 are blocked` before it runs; then the counts."""
    if plan.state in {PlanState.DRAFT, PlanState.READING}:
        blocked = known.count(ItemState.BLOCKED)
        return f"{known.listed} items, {blocked} {'is' if blocked == 1 else 'are'} blocked"
    return f"{PlanState(plan.state).label.lower()}. {_line(known)}"


def _line(known: Progress) -> str:
    states = [state for state in ItemState if known.count(state)]
    parts = ", ".join(f"{known.count(state)} {state.label.lower()}" for state in states)
    rate = f", {known.per_second:.1f}/s, {known.left} left" if known.per_second else ""
    filled = known.percent // 5
    return f"[{'#' * filled}{'.' * (20 - filled)}] {known.percent:3} %  {parts}{rate}"


def _ended(plan: Plan) -> int:
    if plan.state in WAITING:
        return 8
    if plan.state != PlanState.DONE:
        return 6 if plan.state in {PlanState.PAUSED, *OVER} else 0
    known = progress_of(plan)
    return 0 if known.count(ItemState.DONE) == known.total else 1
