#!/usr/bin/env python
"""Runs the demo site and its commands."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackable_tests.demo.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
