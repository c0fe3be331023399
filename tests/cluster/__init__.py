"""Stories on a RabbitMQ cluster of three real nodes on this machine, run by `make test-cluster`."""
