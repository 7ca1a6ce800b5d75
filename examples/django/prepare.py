"""Run when the image is built: the static files, and a database with a first page and the user gardener."""

import os
from pathlib import Path

SEED = Path(__file__).parent / "seed"
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
os.environ.setdefault("DJANGO_SECRET_KEY", "for building only")
os.environ["DJANGO_DATA"] = str(SEED)


def prepare() -> None:
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from wiki.models import URLPath

    SEED.mkdir(exist_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("migrate", interactive=False, verbosity=0)
    get_user_model().objects.create_superuser("gardener", "gardener@django.example", "gardener")
    URLPath.create_root(title="The garden", content="A page that everybody may change.")


if __name__ == "__main__":
    prepare()
