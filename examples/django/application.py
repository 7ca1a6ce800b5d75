"""What the worker hosts: `application:application`."""

import os
import shutil
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

if not (database := Path(settings.DATABASES["default"]["NAME"])).exists():
    shutil.copyfile(Path(__file__).parent / "seed" / database.name, database)
application = get_wsgi_application()
