"""A Telegram on your own machine: a strict Bot API server and a chat page in the browser.

Knows only the Bot API. A bot in any language works against it by pointing its API base here.
"""
