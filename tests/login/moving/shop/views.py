"""Two pages: one for everybody, one for those who have logged in."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import engines

HOME = """
{% if user.is_authenticated %}
<p>Hello {{ user.first_name }}</p>
<form action="{% url 'oidc_logout' %}" method="post">
  {% csrf_token %}<input type="submit" value="logout">
</form>
{% else %}
<a href="{% url 'oidc_authentication_init' %}">Login</a>
{% endif %}
"""


def home(request: HttpRequest) -> HttpResponse:
    """Greet whoever comes."""
    page = engines["django"].from_string(HOME)
    return HttpResponse(page.render({"user": request.user}, request))


@login_required
def account(request: HttpRequest) -> JsonResponse:
    """Show whose session this is."""
    return JsonResponse(
        {
            "id": request.user.pk,
            "username": request.user.get_username(),
            "first_name": getattr(request.user, "first_name", ""),
            "has_token": "oidc_access_token" in request.session,
        }
    )
