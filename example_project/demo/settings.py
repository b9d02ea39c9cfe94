"""Settings of the process that starts the two services: it has no data of its own."""

INSTALLED_APPS = ["demo"]
DATABASES: dict[str, dict[str, str]] = {}
# Nothing is signed here; each service gets a key of its own.
SECRET_KEY = "starts processes and signs nothing"
USE_TZ = True
