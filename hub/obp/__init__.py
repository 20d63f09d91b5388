"""The manufacturer's side of the EU Hub's interface: an async library and the command `obp`.

It knows the words of `emvs` and speaks HTTP; nothing of the hub's server may be imported here, nor
may the server import anything of this. The command is `hub.obp.cli`.
"""

from hub.obp.client import ObpClient
from hub.obp.errors import (
    HubBusyError,
    HubRefusedError,
    InputError,
    JournalError,
    LoginRefusedError,
    NotEndedError,
    ObpClientError,
    ProfileError,
    ProtocolError,
    UnreachableError,
)
from hub.obp.jobs import Batch, Change, Job, JobEnd, JobMessage
from hub.obp.profile import Profile

__all__ = [
    "Batch",
    "Change",
    "HubBusyError",
    "HubRefusedError",
    "InputError",
    "Job",
    "JobEnd",
    "JobMessage",
    "JournalError",
    "LoginRefusedError",
    "NotEndedError",
    "ObpClient",
    "ObpClientError",
    "Profile",
    "ProfileError",
    "ProtocolError",
    "UnreachableError",
]
