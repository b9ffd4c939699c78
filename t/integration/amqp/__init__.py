"""RabbitMQ, with what goes wrong there."""
