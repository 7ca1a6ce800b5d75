"""HAProxy as the agent sees it: what to write for it (`config`, `maps`), how to talk to it (`master`), what it says
(`stats`).
"""
