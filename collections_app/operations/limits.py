"""How many drops one person may begin on one cluster in an hour, alone or through plans."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from .. import clusters
from ..access.policy import Action
from ..access.principals import Actor
from ..audit.log import Phase, actor_column
from ..milvus.types import Cluster
from ..models import AuditEvent

DROPS = (Action.DROP_COLLECTION, Action.DROP_PARTITION)
WINDOW = timedelta(hours=1)
SPENT = (
    "You have begun {limit} drops on this cluster within the last hour, which is all that its "
    "drops_per_hour permits. Try again later"
)


def drops_left(actor: Actor, cluster: Cluster) -> int | None:
    """How many more drops this person may begin on this server now; None without a limit."""
    if not cluster.drops_per_hour:
        return None
    begun = AuditEvent.objects.filter(
        phase=Phase.INTENT,
        action__in=DROPS,
        cluster__in=clusters.same_server(cluster.key),
        recorded_at__gt=timezone.now() - WINDOW,
    )
    # People change their display names, which the column begins with.
    same = Q(actor=actor_column(actor)) | Q(actor__endswith=f"|{actor.issuer}|{actor.subject}")
    return max(cluster.drops_per_hour - begun.filter(same).count(), 0)


def is_spent(action: Action, actor: Actor, cluster: Cluster) -> bool:
    """Whether this drop would be one too many. Exact only while the chain is held."""
    return action in DROPS and drops_left(actor, cluster) == 0
