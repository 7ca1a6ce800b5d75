"""Takes for ever to import and swallows what interrupts it."""

import threading

print("importing", flush=True)
while True:
    try:
        threading.Event().wait()
    except BaseException as interruption:
        print("swallowed", interruption, flush=True)
