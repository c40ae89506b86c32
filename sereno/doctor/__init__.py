"""What is wrong with this installation, where, and how to mend it: `sereno doctor` (docs/doctor.md).

Every finding is one file in `findings/`: `look` reads, and changes nothing; `judge` is pure. The list of them is in
`findings/__init__.py`.
"""

from sereno.doctor.examine import examine, summary
from sereno.doctor.model import Finding, Question, State
from sereno.doctor.patient import Asked, Patient

__all__ = ["Asked", "Finding", "Patient", "Question", "State", "examine", "summary"]
