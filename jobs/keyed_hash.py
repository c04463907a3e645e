"""A keyed hash as a column, computed by Java in Spark's generated code.

A function of Spark, such as sha2, would show the key in plans, logs and the UI; one of Python takes ten times as long.
"""

from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.classic.column import Column as ClassicColumn
from pyspark.sql.classic.column import _to_java_column
from pyspark.sql.utils import get_active_spark_context

CHARACTERS = 26
# As many as it takes for 26 characters of five bits.
_HASHED_BYTES = 17

# Both are on Spark's own class path.
_HMAC = "org.apache.commons.codec.digest.HmacUtils"
_BASE32 = "com.google.common.io.BaseEncoding"
_UTF8 = "org.apache.spark.unsafe.types.UTF8String"


def base32_hmac(text: Column, secret: bytes) -> Column:
    """The first 26 characters of the text's HMAC-SHA-256 in base32, lower case; null for null."""
    java = _Expressions()
    # The text of a list that holds an array, in plans and logs, shows nothing of it. It has a type that Spark computes
    # nothing of beforehand, or the array itself would stand in the plan.
    holder = java.literal(java.jvm.java.util.Collections.singletonList(secret), java.object("java.util.List"))
    key = java.call(holder, "get", java.object("[B"), java.integer(0))
    message = java.jvm.org.apache.spark.sql.classic.ExpressionUtils.expression(_to_java_column(text.cast("binary")))
    # Makes a Mac of its own for each text, for none may be shared by two tasks.
    mac = java.static(_HMAC, "hmacSha256", java.object("[B"), key, message)
    base32 = java.static(_BASE32, "base32", java.object(_BASE32))
    place = (java.integer(0), java.integer(_HASHED_BYTES))
    characters = java.call(base32, "encode", java.object("java.lang.String"), mac, *place)
    utf8 = java.static(_UTF8, "fromString", java.types.StringType, characters)
    column = ClassicColumn(java.jvm.org.apache.spark.sql.classic.ExpressionUtils.column(utf8))
    return F.lower(F.substring(column, 1, CHARACTERS))


class _Expressions:
    """Spark's expressions that call Java."""

    def __init__(self) -> None:
        jvm: Any = get_active_spark_context()._jvm
        self.jvm, self.types = jvm, jvm.org.apache.spark.sql.types.DataTypes
        self._expressions = jvm.org.apache.spark.sql.catalyst.expressions

    def object(self, class_name: str) -> Any:
        """The type of a Java object."""
        return self.jvm.org.apache.spark.sql.types.ObjectType(self._class(class_name))

    def literal(self, value: Any, type_: Any) -> Any:
        return self._expressions.Literal(value, type_)

    def integer(self, value: int) -> Any:
        return self.literal(value, self.types.IntegerType)

    def static(self, class_name: str, method: str, type_: Any, *arguments: Any) -> Any:
        """A static method's result; null when an argument is."""
        given, any_types, no_function = self._seq(arguments), self._seq(()), self.jvm.scala.Option.empty()
        return self._expressions.objects.StaticInvoke(
            self._class(class_name), type_, method, given, any_types, True, True, True, no_function
        )

    def call(self, target: Any, method: str, type_: Any, *arguments: Any) -> Any:
        """The result of an object's method; null when an argument is."""
        given, any_types = self._seq(arguments), self._seq(())
        return self._expressions.objects.Invoke(target, method, type_, given, any_types, True, True, True)

    def _class(self, name: str) -> Any:
        return self.jvm.java.lang.Class.forName(name)

    def _seq(self, values: tuple[Any, ...]) -> Any:
        return self.jvm.PythonUtils.toSeq(list(values))
