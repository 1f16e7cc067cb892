"""IntakeQ, called PracticeQ since it was renamed."""
