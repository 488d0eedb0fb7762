"""stub"""

from ..values.value_class import value_class


@value_class
class JobRecord:
    id: str
