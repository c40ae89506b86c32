"""Monthly reports by schedule: what is due is decided in `dues`, made and put into the outbox by `post`."""

from alerting.reports.post import ReportPost

__all__ = ["ReportPost"]
