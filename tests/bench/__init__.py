"""The measurements of DESIGN §6. Each rate is compared with a reference that is measured alternately with it in the
same run.
"""
