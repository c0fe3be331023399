"""The entry point of the console script `argus-cloud`: load the commands, or report which packages are not installed.

A vehicle's computer has the script too, since all programs of Argus are one package, but none of the packages of the
extra `cloud`.
"""

import sys

OWN = ("cloud", "protocols")


def main() -> None:
    """Run the command of the command line. Without the packages of the cloud, exit with code 1 and one sentence."""
    try:
        from cloud.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in OWN:
            raise
        sys.exit(
            f"argus-cloud needs the module {error.name}, which is not installed. Install the packages of the extra "
            "`cloud`, which are in requirements/cloud.txt."
        )
    run()
