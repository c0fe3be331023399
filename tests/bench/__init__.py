"""The measurements of DESIGN §6. Each rate is compared with a reference that is measured alternately with it in the
same run.
"""

import cloud.slices  # noqa: F401  declares the slices, which the benches need
