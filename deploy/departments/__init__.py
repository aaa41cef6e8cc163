"""The demo departments: a small web server that stands for the city's own.

    gunicorn "deploy.departments:create_app()"

The wards are real; everything else is simulated and says so. With ``HANOIIC_DEMO_DATA`` the same
departments also serve the real files of that folder.
"""

from deploy.departments.app import create_app

__all__ = ["create_app"]
