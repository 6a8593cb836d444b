"""Order lines → clean order lines and an audit: rules as data, returns, nothing lost.

Every row that is set aside has one reason, the first rule that asked for it. Rows and money reconcile to the cent:
rows in = rows kept + rows per reason; amount in = amount kept + amount per reason.
"""

from regulars.cleaning.auditing import Audit, AuditLine
from regulars.cleaning.cleaner import Cleaned, clean
from regulars.cleaning.contacts import consents, has_contacts, latest_contacts, refuses
from regulars.cleaning.rules import Returns, Rule, rules_for

__all__ = [
    "Audit",
    "AuditLine",
    "Cleaned",
    "Returns",
    "Rule",
    "clean",
    "consents",
    "has_contacts",
    "latest_contacts",
    "refuses",
    "rules_for",
]
