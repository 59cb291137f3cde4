import ArgumentParser

ApusBench.main()
