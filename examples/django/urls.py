"""The admin, the notifications and the wiki below everything else."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("_admin/", admin.site.urls),
    path("_notifications/", include("django_nyt.urls")),
    path("", include("wiki.urls")),
]
