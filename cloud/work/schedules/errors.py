"""Errors of schedules. The console and the pages of administrators show them; apps have no routes for schedules."""

from cloud.foundation.errors import PrivateError


class ScheduleUnknown(PrivateError, code="schedule_unknown", status=404):
    """Schedule not found."""


class CronMalformed(PrivateError, code="cron_malformed", status=422):
    """A schedule has the five fields of cron: minute, hour, day of the month, month, day of the week."""


class TimeZoneUnknown(PrivateError, code="time_zone_unknown", status=422):
    """A time zone is a name of the IANA database, such as Europe/Warsaw."""


class KindNotScheduled(PrivateError, code="kind_not_scheduled", status=422):
    """Jobs of this kind cannot be scheduled."""


class WindowMalformed(PrivateError, code="window_malformed", status=422):
    """The time range of the payload does not fit the schedule."""


class ScheduleNameMalformed(PrivateError, code="schedule_name_malformed", status=422):
    """A schedule has a name of 1 to 100 characters."""


class ScheduleNotEntitled(PrivateError, code="schedule_not_entitled", status=409):
    """The operator has not permitted schedules for the app."""


class ScopesMissing(PrivateError, code="schedule_scopes_missing", status=409):
    """The app lacks a scope that the jobs need."""


class AppRemoved(PrivateError, code="app_removed", status=409):
    """The app was removed."""


class TooManySchedules(PrivateError, code="too_many_schedules", status=409):
    """There are too many schedules. Remove one first."""
