"""One scorer process for each of several devices.

Talks to the engine through messages; nothing else imports it but the registration of the backend.
"""
