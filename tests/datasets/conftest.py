"""What several test files of the data sets need."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

NOBODY = 65534


@pytest.fixture
def closed():
    """A folder ``closed`` that may not be looked into, in a folder of its own that may."""
    place = Path(tempfile.mkdtemp(prefix="adlib-"))  # not in tmp_path, which is closed to all others
    place.chmod(0o777)
    (place / "closed" / "inner").mkdir(parents=True)
    (place / "closed").chmod(0)
    root = hasattr(os, "geteuid") and os.geteuid() == 0  # root may look into everything
    try:
        if root:
            os.seteuid(NOBODY)
        if os.access(place / "closed", os.R_OK, effective_ids=os.access in os.supports_effective_ids):
            pytest.skip("no folder is closed here")
        yield place / "closed"
    finally:
        if root:
            os.seteuid(0)
        (place / "closed").chmod(0o700)
        shutil.rmtree(place)
