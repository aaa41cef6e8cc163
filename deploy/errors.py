"""The launcher's error tree: one clear sentence each, and what to do."""

from __future__ import annotations


class DeployError(Exception):
    """Something keeps the portal from starting or stopping.

    The message says what is wrong and what to do, in one or two sentences; ``code`` is stable
    and documented in ``docs/errors.d/deploy.md``. The command line prints both and exits with 1.
    """

    code = "deploy_failed"


class HomeNotWritable(DeployError):
    code = "home_not_writable"


class DiskFull(DeployError):
    code = "disk_full"


class PortInUse(DeployError):
    code = "port_in_use"


class AddressUnusable(DeployError):
    code = "address_unusable"


class SupervisorLost(DeployError):
    code = "supervisor_lost"


class AlreadyRunning(DeployError):
    code = "already_running"


class NotRunning(DeployError):
    code = "not_running"


class GatewayUnreachable(DeployError):
    code = "gateway_unreachable"


class GatewayRefused(DeployError):
    code = "gateway_refused"


class OutputRefused(DeployError):
    code = "output_refused"


class ParameterRefused(DeployError):
    code = "parameter_refused"


class NoticesUnreadable(DeployError):
    code = "notices_unreadable"


class PlatformUnsupported(DeployError):
    code = "platform_unsupported"


class SystemUserMissing(DeployError):
    code = "system_user_missing"


class DatabaseFailed(DeployError):
    code = "database_failed"


class CacheFailed(DeployError):
    code = "cache_failed"


class StepFailed(DeployError):
    code = "step_failed"


class NotReady(DeployError):
    code = "not_ready"
