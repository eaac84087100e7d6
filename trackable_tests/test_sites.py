"""The registry: which data classes count for which models."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test import override_settings
from django.test.utils import isolate_apps
from django.utils.module_loading import autodiscover_modules

import trackable
from trackable import AlreadyRegistered, NotRegistered, TrackableSite, sites
from trackable.admin.data import TrackableDataAdmin
from trackable.exceptions import CannotRegister, TrackableError
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Abstract,
    Download,
    Link,
    Page,
    PageData,
    PageSizes,
    PageTotals,
    Swapped,
    Unregistered,
)


@pytest.fixture
def site() -> TrackableSite:
    return TrackableSite("fresh")


def test_a_model_has_several_data_classes_in_the_order_of_registration(site: Any) -> None:
    site.register(Page, PageTotals)
    site.register(Page, PageData)
    assert site.get_trackables(Page) == [PageTotals, PageData]
    assert site.data_classes() == [PageTotals, PageData]


def test_a_data_class_counts_for_several_models(site: TrackableSite) -> None:
    site.register([Page, Link], PageData)
    site.register(Download, PageData)
    assert site.get_parents(PageData) == [Page, Link, Download]
    assert site.get_parent(PageData) is Page
    assert site.data_classes() == [PageData]


def test_an_iterable_of_models_may_be_a_generator_and_name_one_twice(site: TrackableSite) -> None:
    site.register((model for model in (Page, Link, Page)), PageData)
    assert site.get_trackables(Page) == [PageData]
    site.unregister([Page, Page])
    assert site.get_parents(PageData) == [Link]


def test_registries_know_nothing_of_each_other(site: TrackableSite) -> None:
    site.register(Unregistered, PageData)
    assert not trackable.site.is_registered(Unregistered)
    assert not site.is_registered(Page)
    assert trackable.site.is_registered(Page, PageData)


def test_same_pair_twice_names_who_holds_it(site: TrackableSite) -> None:
    site.register(Page, PageData)
    with pytest.raises(AlreadyRegistered, match=r"PageData already .* testapp\.Page in .*'fresh'"):
        site.register(Page, PageData)


def test_refused_call_registers_nothing(site: TrackableSite) -> None:
    site.register(Page, PageData)
    before = sites.changes()
    with pytest.raises(AlreadyRegistered):
        site.register([Link, Page], PageData)
    assert not site.is_registered(Link)
    assert sites.changes() == before


@for_each(
    "model, reason",
    [
        (Abstract, "Abstract is abstract: register its concrete models"),
        (Swapped, r"testapp\.Swapped is swapped out for testapp\.Unregistered"),
        (int, "is no model"),
        ("testapp.Page", "is no model"),
        (42, "is no model"),
        ([Page()], "is no model"),
    ],
)
def test_unfit_models_are_refused(site: TrackableSite, model: Any, reason: str) -> None:
    with pytest.raises(CannotRegister, match=reason):
        site.register(model, PageData)
    assert site.data_classes() == []


@for_each("data_cls", [Page, int, None, trackable.TrackableData])
def test_unfit_data_classes_are_refused(site: TrackableSite, data_cls: Any) -> None:
    with pytest.raises(CannotRegister):
        site.register(Page, data_cls)


def test_one_data_class_is_unregistered(site: TrackableSite) -> None:
    site.register([Page, Link], PageData)
    site.register(Page, PageTotals)
    site.unregister(Page, PageData)
    assert site.get_trackables(Page) == [PageTotals]
    assert site.is_registered(Link, PageData)


def test_all_data_classes_of_a_model_are_unregistered(site: TrackableSite) -> None:
    site.register(Page, PageData)
    site.register(Page, PageTotals)
    site.unregister(Page)
    assert not site.is_registered(Page)
    assert site.get_trackables(Page) == []


def test_unregistering_what_is_not_registered_changes_nothing(site: TrackableSite) -> None:
    site.register(Page, PageData)
    with pytest.raises(NotRegistered, match=r"testapp\.Link is not registered in .*'fresh'"):
        site.unregister([Page, Link])
    with pytest.raises(NotRegistered, match=r"with testapp\.PageTotals"):
        site.unregister(Page, PageTotals)
    assert site.is_registered(Page, PageData)


def test_parent_of_an_unregistered_data_class_is_an_error(site: TrackableSite) -> None:
    assert site.get_parents(PageData) == []
    with pytest.raises(NotRegistered, match=r"PageData counts for no model"):
        site.get_parent(PageData)


def test_registry_errors_are_trackable_errors() -> None:
    for error in (AlreadyRegistered, NotRegistered, CannotRegister):
        assert issubclass(error, TrackableError)


@isolate_apps("trackable_tests.testapp")
def test_models_inherit_data_classes_after_their_own(site: TrackableSite) -> None:
    class Proxy(Page):
        class Meta:
            proxy = True
            app_label = "testapp"

    site.register(Page, PageData)
    site.register(Proxy, PageTotals)
    assert site.get_trackables(Proxy) == [PageTotals, PageData]
    assert site.get_trackables(Page) == [PageData]
    assert site.holder_of(Proxy, PageData) is Page


@isolate_apps("trackable_tests.testapp")
def test_decorator_registers_for_every_model_it_names(site: TrackableSite) -> None:
    @trackable.register(Page, Link, site=site)
    class Decorated(trackable.TrackableData):
        views = models.PositiveIntegerField(default=0)

        class Meta:
            app_label = "testapp"

    assert Decorated.__name__ == "Decorated"
    assert site.get_parents(Decorated) == [Page, Link]
    assert not trackable.site.is_registered(Page, Decorated)


def test_decorator_without_a_model_is_an_error() -> None:
    with pytest.raises(CannotRegister, match=r"@register\(Page\)"):
        trackable.register()


def test_every_change_is_noted(site: TrackableSite) -> None:
    noted = [sites.changes()]
    site.register(Page, PageData)
    noted.append(sites.changes())
    site.unregister(Page)
    noted.append(sites.changes())
    assert noted == sorted(set(noted))


# admin pages


@pytest.fixture
def admin_pages(settings: Any) -> Iterator[None]:
    settings.TRACKABLE_REGISTER_ADMIN_MODELS = True
    before = dict(admin.site._registry)
    yield
    admin.site._registry.clear()
    admin.site._registry.update(before)


class OwnAdmin(TrackableDataAdmin):
    pass


def admin_of(data_cls: type[models.Model]) -> type | None:
    if not admin.site.is_registered(data_cls):
        return None
    return type(admin.site.get_model_admin(data_cls))


@pytest.mark.usefixtures("admin_pages")
def test_admin_class_is_registered_with_the_admin(site: TrackableSite) -> None:
    site.register(Page, PageSizes, OwnAdmin)
    site.register(Page, PageTotals)
    assert admin_of(PageSizes) is OwnAdmin
    assert admin_of(PageTotals) is TrackableDataAdmin


def test_default_is_no_admin_pages_without_debug(site: TrackableSite) -> None:
    site.register(Page, PageSizes, OwnAdmin)
    assert admin_of(PageSizes) is None


@pytest.mark.usefixtures("admin_pages")
def test_debug_alone_gives_admin_pages(site: TrackableSite, settings: Any) -> None:
    del settings.TRACKABLE_REGISTER_ADMIN_MODELS
    settings.DEBUG = True
    site.register(Page, PageSizes)
    assert admin_of(PageSizes) is TrackableDataAdmin


@pytest.mark.usefixtures("admin_pages")
def test_admin_pages_of_the_project_stay(site: TrackableSite) -> None:
    admin.site.register(PageSizes)
    site.register(Page, PageSizes, OwnAdmin)
    assert admin_of(PageSizes) is admin.ModelAdmin
    site.unregister(Page)
    assert admin_of(PageSizes) is admin.ModelAdmin


@pytest.mark.usefixtures("admin_pages")
def test_admin_pages_go_with_the_last_model(site: TrackableSite) -> None:
    site.register([Page, Link], PageSizes)
    site.unregister(Page)
    assert admin_of(PageSizes) is TrackableDataAdmin
    site.unregister(Link)
    assert admin_of(PageSizes) is None


@pytest.mark.usefixtures("admin_pages")
def test_admin_pages_stay_while_another_registry_has_the_class(site: TrackableSite) -> None:
    other = TrackableSite("other")
    for each in (site, other):
        each.register(Page, PageSizes)
    site.unregister(Page)
    assert admin_of(PageSizes) is TrackableDataAdmin
    other.unregister(Page)
    assert admin_of(PageSizes) is None


def test_no_admin_is_needed(site: TrackableSite, settings: Any) -> None:
    settings.TRACKABLE_REGISTER_ADMIN_MODELS = True
    apps = [app for app in settings.INSTALLED_APPS if app != "django.contrib.admin"]
    with override_settings(INSTALLED_APPS=apps):
        site.register(Page, PageSizes)
        site.unregister(Page)


# discovery


class AppMaker:
    """Writes installable apps, each a package with a ``trackabledata.py`` of this text or none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str, trackabledata: str | None) -> str:
        package = self.folder / name
        package.mkdir()
        (package / "__init__.py").touch()
        if trackabledata is not None:
            (package / "trackabledata.py").write_text(trackabledata)
        importlib.invalidate_caches()
        return name


@pytest.fixture
def make_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppMaker]:
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield AppMaker(tmp_path)
    for name in set(sys.modules) - before:
        if (origin := getattr(sys.modules[name], "__file__", None)) and str(tmp_path) in origin:
            del sys.modules[name]


@pytest.fixture
def kept_registry() -> Iterator[None]:
    before = trackable.site._registry.copy()
    yield
    trackable.site._registry = before
    sites._note_change()


REGISTER = """
import trackable
from trackable_tests.testapp.models import PageSizes, Unregistered
trackable.site.register(Unregistered, PageSizes)
"""


def discover(settings: Any, *names: str) -> None:
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, *names]):
        autodiscover_modules("trackabledata", register_to=trackable.site)


@pytest.mark.usefixtures("kept_registry")
def test_modules_of_installed_apps_are_discovered(make_app: Any, settings: Any) -> None:
    discover(settings, make_app("with_data", REGISTER), make_app("without_data", None))
    assert trackable.site.is_registered(Unregistered, PageSizes)


@pytest.mark.usefixtures("kept_registry")
@pytest.mark.parametrize(
    ("text", "error"),
    [("1 / 0", ZeroDivisionError), ("import trackable_has_no_such_module", ModuleNotFoundError)],
)
def test_failing_module_leaves_the_registry_as_it_was(
    make_app: Any, settings: Any, text: str, error: type[Exception]
) -> None:
    name = make_app("with_failing_data", f"{REGISTER}\n{text}")
    before = trackable.site._registry.copy()
    with pytest.raises(error):
        discover(settings, name)
    assert trackable.site._registry == before


@pytest.mark.usefixtures("kept_registry")
def test_refused_registration_comes_through_discovery(make_app: Any, settings: Any) -> None:
    text = "import trackable\ntrackable.site.register(int, int)"
    with pytest.raises(CannotRegister):
        discover(settings, make_app("with_refused_data", text))


# a project whose app registers everywhere that Django lets it

PROJECT = {
    "shop/__init__.py": "",
    "shop/models.py": """
import trackable
from django.db import models

class Item(models.Model):
    pass

@trackable.register(Item)
class ItemData(trackable.TrackableData):
    views = models.PositiveIntegerField(default=0)

class ItemDays(trackable.TrackableTimeSeriesData):
    views = models.PositiveIntegerField(default=0)
""",
    "shop/trackabledata.py": """
import trackable
from shop.models import Item, ItemDays
trackable.site.register(Item, ItemDays)
""",
    "shop/admin.py": """
from django.contrib import admin
from shop.models import ItemDays
admin.site.register(ItemDays)
""",
    "main.py": """
import sys
import django
from django.conf import settings

own = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.messages"]
settings.configure(DEBUG=True, INSTALLED_APPS=[*own, *sys.argv[1:]])
django.setup()
from django.contrib import admin
from shop.models import ItemData, ItemDays
for model in (ItemData, ItemDays):
    print(type(admin.site.get_model_admin(model)).__name__)
""",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "order", [("trackable", "shop", "django.contrib.admin"), ("django.contrib.admin", "shop")]
)
def test_admin_module_of_an_app_wins_in_any_order(order: tuple[str, ...], tmp_path: Path) -> None:
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    names = dict.fromkeys([*order, "trackable"])
    root = Path(trackable.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-W", "error", "main.py", *names],
        cwd=tmp_path,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.stdout.split(), run.stderr) == (["TrackableDataAdmin", "ModelAdmin"], "")
