"""`argus-cloud share-links`: the share links of an encounter, and their revocation."""

from typing import Annotated, Any

import typer

from cloud.access.audit import Audit
from cloud.clinical.epcr import Encounters, EncounterUnknown
from cloud.clinical.handover.links import ShareLinks
from cloud.clinical.handover.model import ShareLink
from cloud.foundation.command import AsJson, TenantOption, Workplace, print_one, print_rows, run
from cloud.foundation.moments import write_moment

links = typer.Typer(help="Share links of hand-overs: who may open one, and how to end them.", no_args_is_help=True)

EncounterArgument = Annotated[str, typer.Argument(metavar="ENCOUNTER", help="The encounter's id, enc_….")]


def _shown(link: ShareLink) -> dict[str, Any]:
    return {
        "id": link.id,
        "vehicle_id": link.vehicle_id,
        "author": link.author,
        "added_at": write_moment(link.added_at_us),
        "revoked_at": None if link.revoked_at_us is None else write_moment(link.revoked_at_us),
        "revoked_by": link.revoked_by,
    }


@links.command("list")
def list_links(
    context: typer.Context, encounter: EncounterArgument, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """List the share links of an encounter, oldest first. `argus-cloud audit list --action handover.link_viewed` shows
    who opened them."""

    async def work(place: Workplace) -> list[ShareLink]:
        async with place.database.read() as tx:
            if (found := await Encounters().find(tx, place.operator(tenant), encounter)) is None:
                raise EncounterUnknown
            return list(await ShareLinks().of_encounter(tx, found))

    print_rows("Share links", map(_shown, run(context, work)), as_json=as_json)


@links.command("revoke")
def revoke(context: typer.Context, encounter: EncounterArgument, tenant: TenantOption, as_json: AsJson = False) -> None:
    """Revoke all share links of an encounter. An open page is cleared within ten seconds."""

    async def work(place: Workplace) -> list[str]:
        actor = place.operator(tenant)
        async with place.database.transaction() as tx:
            if (found := await Encounters().find(tx, actor, encounter)) is None:
                raise EncounterUnknown
            ended = await ShareLinks().revoke_all(tx, found, by=actor.subject, now_us=place.clock.now_us())
            for link_id in ended:
                await Audit(place.clock).record(
                    tx, actor, "handover.link_revoked", link_id, metadata={"encounter": encounter}
                )
        return list(ended)

    ended = run(context, work)
    print_one(f"Share links revoked: {len(ended)}", {"revoked": ended}, as_json=as_json)
