import uuid

from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=100)


class Article(models.Model):
    """One of everything that an ordering can be made of."""

    title = models.CharField(max_length=100, default="")
    version = models.PositiveIntegerField(default=1)
    created = models.DateTimeField(null=True)
    score = models.IntegerField(null=True)
    price = models.DecimalField(max_digits=12, decimal_places=4, default=0)
    ratio = models.FloatField(default=0)
    day = models.DateField(null=True)
    flag = models.BooleanField(default=False)
    token = models.UUIDField(default=uuid.uuid4)
    author = models.ForeignKey(
        Author, null=True, on_delete=models.SET_NULL, related_name="articles"
    )
