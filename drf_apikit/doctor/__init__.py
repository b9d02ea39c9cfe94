"""What `manage.py apikit_doctor` looks at."""
