"""Store which master key an app's call-back secret derives from, so that it can leave a stolen one."""

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"
compatible_from = "0020"


def upgrade() -> None:
    for name in ("callback_kid", "callback_previous_kid"):
        op.add_column("apps", sa.Column(name, sa.Text()))
