"""Settings of provenance."""

from cloud.foundation.settings import FilePath, Section, Settings


class ProvenanceSection(Section):
    """`[provenance]`: the time stamps of tree heads. Without this section heads are signed, and not stamped."""

    time_stamp_url: str
    """URL of a time-stamping service (RFC 3161 over HTTP). It gets a hash, and no data."""
    time_stamp_certificates: FilePath
    """PEM file with the root certificate of the service, and the certificates between if its responses lack them. A
    response that they do not verify is refused."""

    def check_with(self, settings: Settings) -> None:
        if not self.time_stamp_url.startswith(("https://", "http://")):
            raise ValueError('[provenance] time_stamp_url: write a URL, for instance "https://tsa.example.org/tsr"')
