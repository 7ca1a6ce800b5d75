"""HAProxy as the agent sees it.

| module     | what of HAProxy                                                                        |
|------------|----------------------------------------------------------------------------------------|
| `names`    | how pools and their parts are called in it                                             |
| `maps`     | the maps: what is in each, and when it is changed                                      |
| `rules`    | what is done with a request, stage by stage                                            |
| `config`   | the file that it starts from: the rules, and the table as it was known last            |
| `boot`     | writes that file and the maps before each start                                        |
| `commands` | every command that it is given, and which answers mean that it was done                |
| `stats`    | what it says of itself, parsed                                                         |
| `runtime`  | the socket that commands and answers go through                                        |

One process for life: what the table says of pools, workers and sites reaches it by commands, never by a reload.
"""
