"""`churn init`: what a user's files hold, as far as names and values tell, written down as a mapping."""
