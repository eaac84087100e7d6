"""The base of everything that makes URL parameters: attributes with names, types and lengths.

A service whose hits are URL parameters describes them in classes of this kind, as
``trackable.contrib.analytics.services.matomo`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from trackable.contrib.analytics.exceptions import InvalidParametersException
from trackable.contrib.analytics.parameters.types import Text, Type

#: what a class's ``Meta`` may set, and its subclasses inherit
META_FIELDS: Final = (
    *("preset_prefix", "index_prefix", "custom_prefix", "item_prefix"),
    *("custom_type", "max_index"),
)
ANY_TEXT: Final = Text()


@dataclass
class Meta:
    """What a class says of its parameters as a whole."""

    abstract: bool = False
    preset_prefix: str = ""
    index_prefix: str | int = ""
    custom_prefix: str = ""
    item_prefix: str = ""
    #: of parameters that have an index instead of a name
    custom_type: Type = ANY_TEXT
    #: the largest index there is
    max_index: int = 200
    parameters: dict[str, Parameter] = field(default_factory=dict)

    @property
    def parameter_names(self) -> list[str]:
        return list(self.parameters)


class Parameter:
    """An attribute of a generator that is sent as a parameter. Unset, it is ``None``."""

    def __init__(self, *, required: bool, type: Type | None, hit_types: tuple[str, ...]) -> None:  # noqa: A002
        self.required = required
        self.type = type
        #: the types of hits that the parameter goes with; all of them if there are none
        self.hit_types = hit_types
        self.name = ""

    def component(self, meta: Meta) -> str:
        """Return the parameter's name in the URL, without the prefixes of its class."""
        raise NotImplementedError

    def type_in(self, meta: Meta) -> Type:
        return self.type or ANY_TEXT

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: AbstractUrlGenerator | None, owner: type) -> Any:
        return self if instance is None else instance._params.get(self.name)

    def __set__(self, instance: AbstractUrlGenerator, value: Any) -> None:
        if value is None:
            instance._params.pop(self.name, None)
            return
        try:
            instance._params[self.name] = self.type_in(instance.meta).clean(value)
        except ValueError as error:
            where = f"{type(instance).__name__}.{self.name}"
            raise InvalidParametersException("{0} is wrong: {1}.", where, str(error)) from error

    def __delete__(self, instance: AbstractUrlGenerator) -> None:
        instance._params.pop(self.name, None)


class UrlParameter(Parameter):
    """A parameter with a name of its own in the URL."""

    def __init__(
        self,
        url_component: str,
        required: bool = False,
        type: Type | None = None,  # noqa: A002
        *,
        hit_types: tuple[str, ...] = (),
    ) -> None:
        super().__init__(required=required, type=type, hit_types=hit_types)
        self.url_component = url_component

    def component(self, meta: Meta) -> str:
        return self.url_component


class VariableParameter(Parameter):
    """A parameter with an index, such as a custom dimension: its class has the name for it."""

    def __init__(self, index: int, type: Type | None = None) -> None:  # noqa: A002
        super().__init__(required=False, type=type, hit_types=())
        self.index = index

    def component(self, meta: Meta) -> str:
        return f"{meta.custom_prefix}{self.index}"

    def type_in(self, meta: Meta) -> Type:
        return self.type or meta.custom_type


UP = UrlParameter
VP = VariableParameter


class AbstractUrlGenerator:
    """Holds parameters as attributes, and makes of them what is sent.

    A value of the wrong type, or one that is too long, raises ``InvalidParametersException``
    where it is set. So does an attribute that does not exist.
    """

    meta: ClassVar[Meta] = Meta(abstract=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = cls.__dict__.get("Meta")
        inherited = {name: getattr(cls.meta, name) for name in META_FIELDS}
        own = {name: getattr(declared, name) for name in META_FIELDS if hasattr(declared, name)}
        cls.meta = Meta(
            abstract=getattr(declared, "abstract", False),
            **{**inherited, **own},
            parameters={
                **cls.meta.parameters,
                **{n: each for n, each in cls.__dict__.items() if isinstance(each, Parameter)},
            },
        )
        for each in cls.meta.parameters.values():
            if isinstance(each, VariableParameter):
                _check_index(each.index, cls.meta)

    def __init__(
        self, params: Mapping[str, Any] | AbstractUrlGenerator | None = None, **kwargs: Any
    ):
        if self.meta.abstract:
            raise InvalidParametersException("{0} is abstract.", type(self).__name__)
        self._params: dict[str, Any] = {}
        self.update(params, **kwargs)

    @classmethod
    def fitting(cls, **values: Any) -> Self:
        """Return an object of what visitors have sent: cut where it is too long.

        What cannot be sent at all is left out.
        """
        types = {name: each.type_in(cls.meta) for name, each in cls.meta.parameters.items()}
        return cls(**{n: types[n].fit(value) for n, value in values.items() if value is not None})

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not hasattr(type(self), name):
            raise InvalidParametersException("{0} has no {1}.", type(self).__name__, name)
        super().__setattr__(name, value)

    def __len__(self) -> int:
        return len(self._params)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        items = ", ".join(f"{name}={value!r}" for name, value in self._params.items())
        return f"<{type(self).__name__}: {items}>"

    def copy(self) -> Self:
        """Return another object with the same parameters."""
        return type(self)(self)

    def update(
        self, other: Mapping[str, Any] | AbstractUrlGenerator | None = None, **kwargs: Any
    ) -> None:
        """Set what a generator or a mapping has, and keyword arguments. ``None`` sets nothing."""
        if isinstance(other, AbstractUrlGenerator):
            known = self.meta.parameters
            self._set({n: value for n, value in other._params.items() if n in known})
        elif isinstance(other, Mapping):
            self._set(other)
        elif other is not None:
            raise InvalidParametersException("{0} holds no parameters.", type(other).__name__)
        self._set(kwargs)

    def _set(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if name not in self.meta.parameters:
                raise InvalidParametersException("{0} has no {1}.", type(self).__name__, name)
            if value is not None:
                setattr(self, name, value)

    def is_empty(self) -> bool:
        """Tell whether nothing is set."""
        return not self._params

    def validate(self) -> None:
        """Raise ``InvalidParametersException`` if something that is required is missing."""
        required = {name for name, each in self.meta.parameters.items() if each.required}
        if missing := required - set(self._params):
            raise InvalidParametersException(
                "Parameters are required, but missing: {0}", ", ".join(sorted(missing))
            )

    def url(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the parameters as they are sent, by their names in the URL."""
        raise NotImplementedError

    def _components(self, prefix: str = "") -> dict[str, Any]:
        self.validate()
        parameters = self.meta.parameters
        return {
            f"{prefix}{parameters[name].component(self.meta)}": value
            for name, value in self._params.items()
        }


def _check_index(index: int, meta: Meta) -> None:
    if type(index) is not int or not 1 <= index <= meta.max_index:
        raise InvalidParametersException("An index is from 1 to {0}.", str(meta.max_index))
