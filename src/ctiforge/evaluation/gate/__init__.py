"""Whether a candidate replaces the champion."""
