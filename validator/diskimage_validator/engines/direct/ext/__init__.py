"""A reader of ext2, ext3 and ext4 that reads with certainty or declines. It writes nothing and needs no root.

On-disk structures: Documentation/filesystems/ext4/ of Linux; what is worth a refusal: fs/ext4 of Linux 6.18.
"""

from diskimage_validator.engines.direct.ext.filesystem import ExtFilesystem
from diskimage_validator.engines.direct.ext.usage import ExtInfo

__all__ = ["ExtFilesystem", "ExtInfo"]
