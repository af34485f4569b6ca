"""Template tag libraries; Django looks for them here."""
