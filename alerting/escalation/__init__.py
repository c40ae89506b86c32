"""Who is paged, and who next when nobody acknowledges: steps that fall due, pure (docs/escalation.md).

`step` is what is remembered, `ladder` whom a page calls, `machine` what happens when, `audit` whether it did.
"""
