import uuid

from django.db import models
from django.db.models import F

from drf_apikit.models import VersionedModel


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
    hour = models.TimeField(null=True)
    span = models.DurationField(null=True)
    flag = models.BooleanField(default=False)
    token = models.UUIDField(default=uuid.uuid4)
    extra = models.JSONField(default=dict)
    author = models.ForeignKey(
        Author, null=True, on_delete=models.SET_NULL, related_name="articles"
    )


class Shelf(models.Model):
    name = models.CharField(max_length=100)

    class Meta:
        ordering = ["-name"]


class Book(models.Model):
    """Ordered by a relation whose model has an ordering of its own."""

    title = models.CharField(max_length=100)
    shelf = models.ForeignKey(Shelf, null=True, on_delete=models.CASCADE)
    shelves = models.ManyToManyField(Shelf, related_name="+")
    sequel_of = models.OneToOneField("self", null=True, on_delete=models.CASCADE)

    class Meta:
        ordering = ["shelf", "-title"]


class Profile(models.Model):
    """A primary key that is a relation."""

    author = models.OneToOneField(Author, primary_key=True, on_delete=models.CASCADE)


class Seat(models.Model):
    """A primary key of two columns."""

    pk = models.CompositePrimaryKey("line", "number")
    line = models.CharField(max_length=10)
    number = models.PositiveIntegerField()
    price = models.PositiveIntegerField(default=0)


class Novel(Book):
    """A row in two tables."""

    pages = models.IntegerField(null=True)


class Remark(models.Model):
    """Each kind of relation to one row: sure, missing, and promised by nobody."""

    text = models.CharField(max_length=100, default="")
    article = models.ForeignKey(Article, on_delete=models.CASCADE)
    answers = models.ForeignKey("self", null=True, on_delete=models.CASCADE)
    author = models.ForeignKey(Author, on_delete=models.DO_NOTHING, db_constraint=False)


class Extreme(models.Model):
    """Values at the ends of what each type can hold."""

    text = models.CharField(max_length=255, default="")
    amount = models.DecimalField(max_digits=30, decimal_places=10, null=True)
    moment = models.DateTimeField(null=True)
    ratio = models.FloatField(null=True)
    token = models.UUIDField(null=True)
    raw = models.BinaryField(null=True)
    address = models.GenericIPAddressField(null=True)
    span = models.DurationField(null=True)
    flag = models.BooleanField(null=True)
    big = models.BigIntegerField(null=True)


class Label(VersionedModel):
    """The simplest row with a version."""

    name = models.CharField(max_length=100, default="")


class Document(VersionedModel):
    """A row with a version, and one of each kind of column that is saved oddly."""

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=100, default="")
    text = models.TextField(default="")
    extra = models.JSONField(default=dict)
    amount = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    file = models.FileField(blank=True)
    raw = models.BinaryField(default=b"")
    touched = models.DateTimeField(auto_now=True)
    doubled = models.GeneratedField(
        expression=F("amount") * 2,
        output_field=models.DecimalField(max_digits=13, decimal_places=2),
        db_persist=True,
    )
    author = models.ForeignKey(
        Author, null=True, on_delete=models.SET_NULL, related_name="documents"
    )
    tags = models.ManyToManyField(Label, related_name="documents")


class Report(Document):
    """A row in two tables, with one version."""

    pages = models.IntegerField(default=0)
