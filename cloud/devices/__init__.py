"""Medical devices of an organisation: enrolled, or merely seen on a vehicle."""
