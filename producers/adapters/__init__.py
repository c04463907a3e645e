"""Records of M-Pesa Daraja, MTN MoMo, Airtel Money and PaySim as canonical GSMA events, one module for each.

Pure: a record and settings in, an event out. `translation` tells which format a record has.
"""
