"""What a schema is here: fields with one method each, objects that refuse unknown members.

Each field has ``read``, which checks and normalises. Marshmallow calls it through ``_deserialize``;
``Strict.read`` calls it directly and asks marshmallow for the full list of faults only when
something is wrong, because a whole marshmallow load costs as much as the rest of intake.
``describe`` gives the JSON Schema that is published. Messages are French: partners read them.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError, fields, missing, post_load

from schemas.pii import pii


class Read(fields.Field[Any]):
    """A field whose whole rule is ``read``; unannotated, it counts as personal."""

    default_error_messages = {  # noqa: RUF012 - marshmallow collects it from the classes
        "required": "Ce membre est obligatoire.",
        "null": "Ce membre ne peut pas être nul.",
        "validator_failed": "Cette valeur est incorrecte.",
    }
    default_pii: ClassVar[Mapping[str, Any]] = pii("free_text")

    def __init__(self, **kwargs: Any) -> None:
        kwargs["metadata"] = {**self.default_pii, **kwargs.get("metadata", {})}
        super().__init__(**kwargs)

    def read(self, value: Any) -> Any:
        """Return the normalised value; raises ValidationError with a French sentence."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """Return the JSON Schema of this field, without its annotation."""
        raise NotImplementedError

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return self.read(value)


class ListOf(Read):
    """A list of distinct values of one field."""

    def __init__(self, item: Read, *, at_least: int = 1, at_most: int = 20, **kwargs: Any) -> None:
        kwargs["metadata"] = {**item.metadata, **kwargs.get("metadata", {})}
        super().__init__(**kwargs)
        self.item = item
        self.at_least = at_least
        self.at_most = at_most

    def read(self, value: Any) -> list[Any]:
        """Return the items read; faults are said item by item."""
        if type(value) is not list or not self.at_least <= len(value) <= self.at_most:
            sentence = f"Une liste de {self.at_least} à {self.at_most} valeurs est attendue."
            raise ValidationError(sentence)
        faults: dict[int, Any] = {}
        kept = []
        for index, item in enumerate(value):
            try:
                kept.append(self.item.read(item))
            except ValidationError as error:
                faults[index] = error.messages
        if faults:
            raise ValidationError(faults)
        if len(set(kept)) != len(kept):
            raise ValidationError("Une valeur est répétée.")
        return kept

    def describe(self) -> dict[str, Any]:
        """Return an array of the item's schema."""
        bounds = {"minItems": self.at_least, "maxItems": self.at_most, "uniqueItems": True}
        return {"type": "array", "items": self.item.describe(), **bounds}


class Strict(Schema):
    """A schema that refuses members it does not know and reads fast when all is well.

    Every field is a ``Read``.
    """

    error_messages = {  # noqa: RUF012 - marshmallow's own attribute
        "unknown": "Ce membre n'est pas connu.",
        "type": "Un objet est attendu.",
    }

    class Meta:
        """No unknown member passes."""

        unknown = RAISE

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._plan: tuple[tuple[str, Callable[[Any], Any], bool], ...] = tuple(
            (name, field.read, field.required) for name, field in self.members.items()
        )

    @property
    def members(self) -> Mapping[str, Read]:
        """The fields of this schema by name."""
        members = {name: field for name, field in self.fields.items() if isinstance(field, Read)}
        if members.keys() != self.fields.keys():
            raise TypeError(type(self).__name__)
        return members

    def read(self, value: Any) -> dict[str, Any]:
        """Return the normalised members; raises ValidationError with every fault."""
        try:
            return self._read_fast(value)
        except ValidationError:
            return dict(self.load(value))

    def _read_fast(self, value: Any) -> dict[str, Any]:
        """Return the normalised members, or raise at the first fault met."""
        if type(value) is not dict:
            raise ValidationError("")
        read = {}
        known = 0
        for name, read_member, is_required in self._plan:
            member = value.get(name, missing)
            if member is not missing:
                read[name] = read_member(member)
                known += 1
            elif is_required:
                raise ValidationError("")
        if known != len(value):
            raise ValidationError("")
        return self.settle(read)

    def settle(self, data: dict[str, Any]) -> dict[str, Any]:
        """Check and normalise what concerns several members at once."""
        return data

    @post_load
    def _settle(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return self.settle(data)

    def describe(self) -> dict[str, Any]:
        """Return the JSON Schema of this object, annotations of personal data included."""
        properties = {name: describe_field(field) for name, field in self.members.items()}
        required = [name for name, field in self.members.items() if field.required]
        return closed_object(properties, required)


class Part(Read):
    """An object inside an object."""

    def __init__(self, schema: type[Strict], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.schema = schema()

    def read(self, value: Any) -> dict[str, Any]:
        """Return the inner object, read by its own schema."""
        return self.schema.read(value)

    def describe(self) -> dict[str, Any]:
        """Return the inner object's schema; its members carry the annotations."""
        return self.schema.describe()


def describe_field(field: Read) -> dict[str, Any]:
    """Return a field's published JSON Schema with its description and ``x-parvis-pii``."""
    described = field.describe()
    if "description" in field.metadata:
        described = {"description": field.metadata["description"], **described}
    if not isinstance(field, Part):
        described["x-parvis-pii"] = field.metadata["x-parvis-pii"]
    return described


def closed_object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """Return the JSON Schema of an object with these members and no other."""
    described: dict[str, Any] = {"type": "object", "additionalProperties": False}
    described["properties"] = properties
    return described | ({"required": required} if required else {})
