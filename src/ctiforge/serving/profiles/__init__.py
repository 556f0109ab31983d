"""The profiles of applications: those that are shipped, and those that a team wrote."""

from ctiforge.records.profile import Profile


def load_profile(name_or_path: str) -> Profile:
    """Load a profile.

    Args:
        name_or_path: `huntable`, or the path of a TOML file.

    Returns:
        The profile.

    Raises:
        UsageError: There is none of the name; or what is wrong with the file, with its table and key.
    """
    raise NotImplementedError
