# `make help` lists what there is to do. Each target makes what it needs first: Python is enough.

VENV := .venv
PYTHON_IN := $(VENV)/bin/python
WORKERS ?= 2
# a warning is an error, in the interpreter as in the tests
PYTEST = $(PYTHON_IN) -W error -m pytest -n $(WORKERS) $(ARGS)

# compiled modules are kept, whatever the environment says: to compile the tests anew takes longer than
# most of them
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test test-unit test-services test-postgresql test-mariadb faults faults-short fuzz browser matrix \
	lint format types docs linkcheck package migrations bench bench-quick \
	spiders-fixture clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: PYTHON=path (to make $(VENV) with), ARGS='...' (for pytest), WORKERS=$(WORKERS)"

demo: $(VENV)/.has-demo ## run the demo site; EXIT=1 ends after the table, LOG=path replays an access log, KILL=1 kills a web process
	@$(PYTHON_IN) -m trackable_tests.demo $(if $(filter-out 0,$(EXIT)),--exit) $(if $(LOG),--log "$(LOG)") $(if $(filter-out 0,$(KILL)),--kill)

test: $(VENV)/.has-test ## run all tests on SQLite, those for services where these are found
	$(PYTEST)

test-unit: $(VENV)/.has-test ## run the tests that need no service and start no process
	$(PYTEST) -m "not services and not slow"

test-services: $(VENV)/.has-test ## run all tests on SQLite, and fail where a service is absent
	TRACKABLE_TEST_REQUIRE_SERVICES=1 $(PYTEST)

test-postgresql: $(VENV)/.has-test ## run the tests that need a database on PostgreSQL
	TRACKABLE_TEST_DATABASE=postgresql $(PYTEST)

test-mariadb: $(VENV)/.has-test ## run the tests that need a database on MariaDB or MySQL
	TRACKABLE_TEST_DATABASE=mariadb $(PYTEST)

faults: $(VENV)/.has-test ## kill, stop and cut off everything, on each broker and database, and compare; ARGS='--seed N ...' for one
	$(PYTHON_IN) -W error -m trackable_tests.faults $(or $(ARGS),--all)

faults-short: $(VENV)/.has-test ## the same in two minutes, and see that it catches sabotage
	$(PYTHON_IN) -W error -m trackable_tests.faults --short --sabotages

fuzz: $(VENV)/.has-test $(VENV)/.has-fuzz ## fuzz what reads bytes from elsewhere, guided by coverage, for ten minutes
	$(PYTHON_IN) -m trackable_tests.fuzzing $(ARGS)

browser: $(VENV)/.has-test $(VENV)/.has-browser ## look at the pages in Chromium; pictures of them go to build/screenshots
	TRACKABLE_TEST_BROWSER=1 $(PYTHON_IN) -W error -m pytest -p no:cacheprovider trackable_tests/browser $(ARGS)

matrix: ## run the tests on every Python and Django that is found and supported; CORNERS=1 for the extremes
	@.ci/matrix $(if $(filter-out 0,$(CORNERS)),--corners)

lint: $(VENV)/.has-lint ## check style and format
	$(PYTHON_IN) -m ruff check .
	$(PYTHON_IN) -m ruff format --check .

format: $(VENV)/.has-lint ## mend style and format
	$(PYTHON_IN) -m ruff check --fix .
	$(PYTHON_IN) -m ruff format .

types: $(VENV)/.has-lint $(VENV)/.has-test ## check the types, strictly
	$(PYTHON_IN) -m mypy

docs: $(VENV)/.has-docs ## build the documentation into docs/_build/html; a warning is an error
	$(PYTHON_IN) -m sphinx -W --keep-going -q -b html docs docs/_build/html

linkcheck: $(VENV)/.has-docs ## ask for every external address that the documentation links to
	$(PYTHON_IN) -m sphinx -q -b linkcheck docs docs/_build/linkcheck

package: $(VENV)/.has-package ## build sdist and wheel, and try the wheel in a project of its own
	@.ci/package $(PYTHON_IN)

migrations: $(VENV)/.has-lint $(VENV)/.has-test ## write the migrations of trackable and of the tests' app
	$(PYTHON_IN) -m django makemigrations trackable trackable_beacons trackable_affiliations trackable_analytics testapp campaigns --settings trackable_tests.settings --pythonpath .
	$(PYTHON_IN) manage.py makemigrations demo
	@$(PYTHON_IN) -m ruff check --quiet --fix trackable/migrations trackable/contrib trackable_tests/testapp/migrations trackable_tests/contrib/campaigns/migrations trackable_tests/demo/migrations
	@$(PYTHON_IN) -m ruff format --quiet trackable/migrations trackable/contrib trackable_tests/testapp/migrations trackable_tests/contrib/campaigns/migrations trackable_tests/demo/migrations

bench: $(VENV)/.has-bench ## measure everything side by side with what people do today, in ten minutes; ARGS='--list'
	$(PYTHON_IN) -m benchmarks --compare $(ARGS)
	$(PYTHON_IN) -m benchmarks.scaling --write > /dev/null

bench-quick: $(VENV)/.has-bench ## the same in two minutes, and what became worse since the last table
	$(PYTHON_IN) -m benchmarks --quick --compare $(ARGS)

spiders-fixture: $(VENV)/.has-test ## write the fixture of user agents not to count
	$(PYTHON_IN) fixtures/make_spiders.py

clean: ## remove what the targets made, except the virtual environment
	rm -rf build dist docs/_build .cache .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf *.egg-info
	find trackable trackable_tests fixtures -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.has-%: pyproject.toml
	@.ci/venv $(VENV) $*
	@touch $@
