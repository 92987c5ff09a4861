"""What gunicorn runs: status_page.wsgi:public and status_page.wsgi:private."""

import os

from status_page.settings import settings_from
from status_page.web import private_app, public_app

_settings = settings_from(os.environ)
public = public_app(_settings)
private = private_app(_settings)
