"""What can go wrong for a user, each with the exit code that schedulers read.

PlatformError
├── SettingsError      64  a setting or an argument is wrong
├── DataCheckFailed    65  rows, tables or checkpoints are not what they must be
├── NotFound           65  no row is there for what was asked
├── DependencyMissing  69  a broker, a JAR or a Java is not there
├── LakeLocked         73  another process writes this lake
├── TryAgain           75  it may work in a while
└── AccessDenied       77  Kafka knows the user not, or lets it not do this
"""


class PlatformError(Exception):
    """One sentence for the user: what was found, what was expected, what to do."""

    exit_code = 1


class SettingsError(PlatformError):
    """A setting, an argument or a file named by one is wrong."""

    exit_code = 64


class DataCheckFailed(PlatformError):
    """Data is not what it must be."""

    exit_code = 65


class NotFound(PlatformError):
    """The tables hold nothing of what was asked for."""

    exit_code = 65


class DependencyMissing(PlatformError):
    """Something the program needs is not there: a broker, a JAR, a Java."""

    exit_code = 69


class LakeLocked(PlatformError):
    """Another process writes this lake."""

    exit_code = 73


class TryAgain(PlatformError):
    """The same call may work in a while."""

    exit_code = 75


class AccessDenied(PlatformError):
    """Kafka refuses the user, its password or what it is about to do; trying again does not help."""

    exit_code = 77
